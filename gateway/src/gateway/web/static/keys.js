// Single keys do what pages offer anyway; where their reader switched them off, a page has no list of them.

const map = document.getElementById("key-map");
const typing = "input, textarea, select, [contenteditable]";
// Until when a key that follows `g` leads to a page.
let lead = 0;

const posts = () => [...document.querySelectorAll("main article.post")].filter((post) => !post.closest("details:not([open])"));
const here = () => document.activeElement.closest("article.post") ?? document.querySelector(".is-here");
const press = (selector, within = document) => within?.querySelector(selector)?.click();
const shown = (...selectors) => selectors.map((selector) => document.querySelector(selector)).find((element) => element?.offsetParent);

const stand = (post) => {
  if (!post) return;
  document.querySelector(".is-here")?.classList.remove("is-here");
  post.classList.add("is-here");
  post.tabIndex = -1;
  post.focus();
};
const step = (way) => {
  const all = posts();
  const place = all.indexOf(here());
  stand(place < 0 ? all.find((post) => post.getBoundingClientRect().bottom > 0) : all[place + way]);
};
const turn = (selector) => {
  const folds = [...(here()?.querySelectorAll(selector) ?? [])];
  const open = !folds[0]?.open;
  for (const fold of folds) fold.open = open;
};
const type = (box) => {
  if (!box) return;
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  box.scrollIntoView({ block: "nearest" });
};
const reply = () => {
  const box = document.querySelector("#reply textarea");
  if (box && here()?.matches(".focus")) type(box);
  else press("a.act[href$='#reply']", here());
};
const back = () => (document.referrer.startsWith(`${location.origin}/`) ? history.back() : press(".brand"));

const keys = {
  j: () => step(1),
  k: () => step(-1),
  o: () => press("a.when", here()),
  u: back,
  r: reply,
  b: () => press(".act-boost", here()),
  f: () => press(".act-heart", here()),
  s: () => press(".act-keep", here()),
  x: () => turn("details.cw"),
  a: () => turn("details.alt"),
  t: () => press(".translated button", here()),
  p: () => press("a.name", here()),
  n: () => {
    const box = shown("#write:has([name=place][value=new]) textarea");
    if (box) type(box);
    else press("a[href='/write']");
  },
  "/": () => {
    const box = shown("#q", "#aside-q");
    if (box) type(box);
    else press("a[href='/search']");
  },
  ".": () => press(".fresh:not([hidden])"),
  g: () => {
    lead = Date.now() + 1500;
  },
  "?": () => map.showModal(),
};
const pages = { h: "a.brand", n: "a[href='/notifications']", m: "a[href='/messages']", s: "a[href='/bookmarks']", p: ".rail > a[href^='/@']" };

// What a key says; by its place on the keyboard where the layout has other letters than Latin ones.
const said = ({ key, code, shiftKey }) => {
  if (key.length > 1 || key < "\u0080" || /\p{Script=Latin}/u.test(key)) return key;
  return code === "Slash" ? (shiftKey ? "?" : "/") : /^Key/.test(code) && !shiftKey ? code[3].toLowerCase() : key;
};

document.addEventListener("keydown", (event) => {
  const modified = event.ctrlKey || event.metaKey || event.altKey || event.getModifierState("AltGraph");
  if (!map || event.defaultPrevented || event.isComposing || modified || event.target.closest(typing) || document.querySelector("dialog[open]")) return;
  const key = said(event);
  const leads = Date.now() < lead;
  lead = 0;
  const does = leads ? pages[key] && (() => press(pages[key])) : key === "Enter" && event.target.matches("article.post") ? keys.o : keys[key];
  if (!does) return;
  event.preventDefault();
  does();
});

// A link to the reply box leads into it.
const answer = () => location.hash === "#reply" && type(document.querySelector("#reply textarea"));
addEventListener("hashchange", answer);
answer();
