// A translation takes the place of the words, and gives it back.
const { busy, back, again } = document.currentScript.dataset;
const kept = new WeakMap();

const nodes = (html) => [...Object.assign(document.createElement("template"), { innerHTML: html }).content.childNodes];
const escaped = (text) => [document.createTextNode(text)];

// What stands where, in the author's words and in the reader's: nodes of elements, and what pictures are called.
const placesOf = (post, made) => {
  const places = [];
  const put = (element, said) => {
    if (element && said) places.push({ element, said: [[...element.childNodes], said], lang: [element.getAttribute("lang"), made.language] });
  };
  put(post.querySelector(".post-text"), nodes(made.content));
  if (made.spoiler_text) put(post.querySelector("summary .who"), escaped(made.spoiler_text));
  post.querySelectorAll(".poll .who").forEach((option, place) => {
    const said = made.options[place % made.options.length];
    if (said) put(option, escaped(said));
  });
  post.querySelectorAll(".shot").forEach((shot, place) => {
    const said = made.descriptions[place];
    if (!said) return;
    const image = shot.querySelector("img");
    put(shot.querySelector(".alt p"), escaped(said));
    places.push({ image, said: [image.alt, said] });
  });
  return places;
};
const show = ({ places }, which) => {
  for (const { element, image, said, lang } of places) {
    if (image) {
      image.alt = said[which];
      continue;
    }
    element.replaceChildren(...said[which]);
    if (lang[which]) element.lang = lang[which];
    else element.removeAttribute("lang");
  }
};

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  const line = button?.closest(".translated");
  if (!line) return;
  event.preventDefault();
  if (line.ariaBusy) return;
  const told = line.querySelector("[aria-live]");
  const does = button.lastElementChild;
  line.dataset.language ??= told.textContent;
  line.dataset.does ??= does.textContent;
  let made = kept.get(line);
  if (!made) {
    line.ariaBusy = "true";
    told.textContent = busy;
    try {
      const answer = await fetch(button.formAction, { method: "POST", body: new FormData(form), headers: { "X-Inline": "1" } });
      made = await answer.json();
    } catch {
      form.action = button.formAction;
      form.submit();
      return;
    } finally {
      line.ariaBusy = null;
    }
    if (made.error) {
      told.textContent = made.error;
      if (made.again) does.textContent = again;
      return;
    }
    made.places = placesOf(line.closest(".post"), made);
    kept.set(line, made);
  }
  made.shown = !made.shown;
  show(made, +made.shown);
  told.textContent = made.shown ? made.told : line.dataset.language;
  does.textContent = made.shown ? back : line.dataset.does;
});
