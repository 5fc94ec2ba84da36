// Comforts only: every page works without this file.

// A form that came back says first what is wrong with it.
document.querySelector(".wrong")?.focus();

// How many characters are left, once it matters.
const left = (area) => Number(area.dataset.most) - [...new Intl.Segmenter().segment(area.value.replace(/https?:\/\/\S+/g, "x".repeat(23)))].length;
document.querySelectorAll("[data-count]").forEach((area) => {
  const shown = document.getElementById(area.dataset.count);
  const count = () => {
    const rest = left(area);
    shown.textContent = rest <= 60 ? String(rest).replace("-", "\u2212") : "";
    shown.classList.toggle("over", rest < 0);
  };
  area.addEventListener("input", count);
  count();
});

// Like, boost and keep without leaving the page; pressed twice, a form is sent once.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (!button?.matches("[data-toggle]")) {
    if (form.matches(".composer")) {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    }
    return;
  }
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

// A page that comes back from the browser's memory may send its form again: the server knows it by its key.
addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));

// Upload pictures when they are chosen, and show a field to describe each.
document.addEventListener("change", async (event) => {
  const input = event.target;
  const form = input.closest(".composer");
  if (!form || input.type !== "file" || !input.files.length) return;
  const body = new FormData(form);
  body.set("add", "pictures");
  const button = form.querySelector(".btn-primary");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Inline": "1" } });
    if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(String(answer.status));
    const fields = form.querySelector(".describes");
    fields.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
    input.value = "";
    fields.querySelector("textarea")?.focus();
  } catch {
    // They go with the post, then.
  } finally {
    button.disabled = false;
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
