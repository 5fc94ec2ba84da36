// Comforts only: every page works without them.

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

// How long ago things were is said anew every minute, as the server says it.
const UNITS = { year: 31536000, month: 2592000, week: 604800, day: 86400, hour: 3600, minute: 60, second: 0 };
const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: "short" });
const passed = () => {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = Math.max(1, (Date.now() - Date.parse(time.dateTime)) / 1000);
    const [unit, length] = Object.entries(UNITS).find(([, length]) => seconds >= 0.85 * length);
    time.textContent = format.format(-Math.max(1, Math.round(seconds / (length || 1))), unit);
  }
};
setInterval(passed, 60000);
document.addEventListener("visibilitychange", passed);

// What a link leads to, for a press that would open it here.
const follow = (selector, how) =>
  document.addEventListener("click", async (event) => {
    const link = event.target.closest(selector);
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    try {
      await how(link, async () => {
        const answer = await fetch(link.href);
        if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
        return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".sheet");
      });
    } catch {
      location.assign(link.href);
    }
  });

// Older posts come in place; the focus goes to the first of them.
follow(".older[data-fill] a", async (link, load) => {
  const foot = link.parentElement;
  const sheet = foot.parentElement;
  if (sheet.ariaBusy) return;
  sheet.ariaBusy = "true";
  const bones = document.createElement("div");
  bones.innerHTML = '<div class="bones"><span class="bone"></span><span class="bone"></span></div>'.repeat(3);
  const late = setTimeout(() => foot.before(bones), 300);
  try {
    const page = await load();
    const posts = [...page.querySelectorAll(":scope > .post, :scope > .here")].filter((post) => !document.getElementById(post.id));
    const end = page.querySelector(":scope > .older, :scope > .the-end");
    const first = posts.find((post) => post.matches(".post")) ?? end;
    first.tabIndex = -1;
    foot.replaceWith(...posts, ...(end ? [end] : []));
    history.replaceState(null, "", link.href);
    first.focus();
  } finally {
    clearTimeout(late);
    bones.remove();
    sheet.ariaBusy = null;
  }
});

// What deletes asks in a dialog, which is the page that asks; keeping it is what Enter does.
follow("a[data-ask]", async (link, load) => {
  const menu = link.closest("details.menu[open]");
  if (menu) shut(menu, true);
  const form = (await load()).querySelector("form");
  const keep = form.querySelector("a.btn");
  const dialog = document.createElement("dialog");
  form.action = link.href;
  form.className = "";
  dialog.ariaLabel = form.querySelector("h1").textContent;
  dialog.append(form);
  dialog.addEventListener("close", () => dialog.remove());
  keep.addEventListener("click", (event) => {
    event.preventDefault();
    dialog.close();
  });
  document.body.append(dialog);
  dialog.showModal();
  keep.focus();
});
