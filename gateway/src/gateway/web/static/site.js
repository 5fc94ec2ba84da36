// Comforts only: every page works without this file.
document.querySelectorAll("[data-count]").forEach((area) => {
  const shown = document.getElementById(area.dataset.count);
  const most = Number(area.dataset.most);
  const count = () => {
    const left = most - [...area.value.replace(/https?:\/\/\S+/g, "x".repeat(23))].length;
    shown.textContent = left;
    shown.classList.toggle("text-danger", left < 0);
  };
  area.addEventListener("input", count);
  count();
});

// Like, boost and keep without leaving the page.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = form.querySelector("[data-toggle]");
  if (!form.matches("[data-inline]") || !button) return;
  event.preventDefault();
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { "X-Inline": "1" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    button.classList.toggle("active", told.on);
    button.setAttribute("aria-pressed", String(told.on));
    form.action = told.next;
    const number = button.querySelector("[data-number]");
    if (number) number.textContent = told.count || "";
  } catch {
    form.submit();
  } finally {
    button.disabled = false;
  }
});

// Show what was chosen to upload.
document.querySelectorAll("[data-files]").forEach((input) => {
  input.addEventListener("change", () => {
    document.getElementById(input.dataset.files).textContent = [...input.files].map((file) => file.name).join(", ");
  });
});
