// The box to write in: counts, keeps drafts, takes pictures in more ways, sends by key.

const boxOf = (event) => event.target.closest?.(".composer");

// How many characters are left, once it matters; the server counts the same way.
const signs = new Intl.Segmenter();
const lengthOf = (said) => Math.max([...signs.segment(said)].length - 1, Math.floor([...said].length / 20));
const count = (form) => {
  const area = form.elements.status;
  const said = area.value.replace(/https?:\/\/[^\s<>()[\]]+/g, "x".repeat(23)).replace(/(?<=@)(\w+)@[A-Za-z0-9.-]+/g, "$1");
  const rest = area.dataset.most - lengthOf(`${said}\n${form.elements.spoiler_text.value}`);
  const shown = document.getElementById(area.dataset.count);
  shown.textContent = rest <= 60 ? String(rest).replace("-", "\u2212") : "";
  shown.classList.toggle("over", rest < 0);
};

// One draft for each person and place, on this device only, for a month.
const MONTH = 30 * 86_400_000;
const nameOf = (place) => `draft:${document.body.dataset.me}:${place}`;
let store = {};
try {
  store = localStorage;
} catch {
  // Nothing is kept where a browser forbids it.
}
const stored = (name) => JSON.parse(store[name] ?? "null");
const text = (field) => field.type.startsWith("text");
const fieldsOf = (form) => [...form.elements].filter((field) => /^(text|select|checkbox)/.test(field.type) && !field.name.startsWith("description-"));
const key = (field) => (field.type === "checkbox" ? "checked" : "value");
const valuesOf = (form) => Object.fromEntries(fieldsOf(form).map((field) => [field.name, field[key(field)]]));
const fill = (form, values) => {
  for (const field of fieldsOf(form)) {
    const value = values[field.name];
    if (value === undefined || value === field[key(field)]) continue;
    field[key(field)] = value;
    if (value) field.closest("details")?.setAttribute("open", "");
  }
  count(form);
};
const tell = (form, what, at) => {
  const line = form.querySelector(".draft");
  const today = new Date(at).toDateString() === new Date().toDateString();
  const when = new Date(at).toLocaleString(document.documentElement.lang, { timeStyle: "short", dateStyle: today ? undefined : "medium" });
  line.hidden = false;
  line.firstElementChild.textContent = line.dataset[what].replace("{}", when);
};
const pending = new Map();
const fresh = new WeakMap();
const keep = (form) => {
  clearTimeout(pending.get(form));
  pending.delete(form);
  const name = nameOf(form.elements.place.value);
  const typed = fieldsOf(form).some((field) => text(field) && field.value.trim() !== fresh.get(form)[field.name].trim());
  try {
    if (typed) store[name] = JSON.stringify({ at: Date.now(), values: valuesOf(form) });
    else delete store[name];
  } catch {
    return;
  }
  if (typed) tell(form, "kept", Date.now());
  else form.querySelector(".draft").hidden = true;
};
const keepAll = () => [...pending.keys()].forEach(keep);

delete store[nameOf(document.body.dataset.sent)];
for (const name of Object.keys(store)) {
  if (name.startsWith("draft:") && !(stored(name)?.at > Date.now() - MONTH)) delete store[name];
}
for (const form of document.querySelectorAll(".composer")) {
  // What came back was typed by its reader, all of it.
  const refused = form.querySelector(".wrong");
  fresh.set(form, refused ? Object.fromEntries(fieldsOf(form).filter(text).map((field) => [field.name, ""])) : valuesOf(form));
  const draft = stored(nameOf(form.elements.place.value));
  if (draft && !refused && form.elements.status.value === form.elements.status.defaultValue) {
    fill(form, draft.values);
    tell(form, "back", draft.at);
  }
  count(form);
}
document.addEventListener("input", (event) => {
  const form = boxOf(event);
  if (!form) return;
  count(form);
  clearTimeout(pending.get(form));
  pending.set(form, setTimeout(keep, 3000, form));
});
document.addEventListener("visibilitychange", () => document.hidden && keepAll());
// Whoever logs out leaves nothing for who comes next to this device.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[action='/logout']")) return;
  pending.forEach(clearTimeout);
  pending.clear();
  for (const name of Object.keys(store)) if (name.startsWith(nameOf(""))) delete store[name];
});
document.addEventListener("click", (event) => {
  if (!event.target.matches(".draft button")) return;
  const form = boxOf(event);
  fill(form, fresh.get(form));
  keep(form);
  form.elements.status.focus();
});

// Pressed twice, a form is sent once. A page that comes back from the browser's memory may send its form again: the server knows it by its key.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(".composer")) return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
  keep(form);
});
addEventListener("pageshow", () => document.querySelectorAll("[data-sent].composer").forEach((form) => delete form.dataset.sent));

document.addEventListener("keydown", (event) => {
  const button = boxOf(event)?.querySelector(".btn-primary");
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing || !button || button.disabled) return;
  event.preventDefault();
  button.form.requestSubmit(button);
});

// Pictures are uploaded when they are chosen, pasted or dropped, one choice after the other, and each gets a field to describe it.
const put = (input, files) => {
  const all = new DataTransfer();
  for (const file of files) all.items.add(file);
  input.files = all.files;
};
const upload = async (form, input) => {
  const files = [...input.files];
  if (!files.length) return;
  const body = new FormData(form);
  body.set("add", "pictures");
  input.value = "";
  const button = form.querySelector(".btn-primary");
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Inline": "1" } });
    if (!answer.headers.get("content-type")?.startsWith("text/html")) throw new Error(String(answer.status));
    const fields = form.querySelector(".describes");
    fields.replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.childNodes);
    (fields.querySelector(".wrong") ?? [...fields.querySelectorAll("textarea")].find((area) => !area.value))?.focus();
  } catch {
    // They go with the post, then.
    put(input, [...files, ...input.files]);
  } finally {
    button.disabled = false;
  }
};
let turn = Promise.resolve();
document.addEventListener("change", (event) => {
  const form = boxOf(event);
  if (form && event.target.type === "file") turn = turn.then(() => upload(form, event.target));
});
const take = (event, data) => {
  const input = boxOf(event)?.elements.pictures;
  if (!input || !data?.files.length) return;
  event.preventDefault();
  put(input, [...input.files, ...data.files]);
  input.dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("paste", (event) => {
  if (!event.clipboardData?.types.includes("text/plain")) take(event, event.clipboardData);
});
document.addEventListener("drop", (event) => take(event, event.dataTransfer));
document.addEventListener("dragover", (event) => {
  if (boxOf(event) && event.dataTransfer?.types.includes("Files")) event.preventDefault();
});
