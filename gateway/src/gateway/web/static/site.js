// Comforts only: every page works without this file.

// A form that came back says first what is wrong with it.
document.querySelector(".wrong")?.focus();

// Like, boost and keep without leaving the page.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!button?.matches("[data-toggle]")) return;
  event.preventDefault();
  button.disabled = true;
  try {
    const answer = await fetch(button.formAction, { method: "POST", body: new FormData(form), headers: { "X-Inline": "1" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    button.setAttribute("aria-pressed", String(told.on));
    button.setAttribute("formaction", told.next);
    const number = button.querySelector("[data-number]");
    if (number) number.textContent = told.count;
    button.disabled = false;
    if (document.activeElement === document.body) button.focus();
  } catch {
    button.disabled = false;
    form.action = button.formAction;
    form.submit();
  }
});

// A menu closes on Escape or a press outside, and the focus goes back.
const shut = (menu, focus) => {
  menu.open = false;
  if (focus) menu.querySelector("summary").focus();
};
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.menu[open]").forEach((menu) => menu.contains(event.target) || shut(menu, false));
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") document.querySelectorAll("details.menu[open]").forEach((menu) => shut(menu, true));
});
