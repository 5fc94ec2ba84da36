// Says that there is something new, at most every ten seconds; nothing is put under the reader's eyes. One tab listens for all.
const band = document.querySelector(".fresh");
const title = document.title;
const news = { post: 0, notification: 0 };
let next = 0;
let due;

const say = () => {
  due = 0;
  next = Date.now() + 10000;
  if (band && news.post) {
    band.hidden = false;
    band.textContent = band.dataset[news.post > 1 ? "many" : "one"].replace("%", news.post);
  }
  const told = news.notification + (band ? news.post : 0);
  if (told) document.title = `(${told}) ${title}`;
  for (const count of document.querySelectorAll("[href='/notifications'] .count")) {
    count.hidden = !(count.firstChild.data = +count.dataset.known + news.notification);
  }
};
const hear = ({ data }) => {
  news[data]++;
  due ||= setTimeout(say, next - Date.now());
};

if (document.body.dataset.me && navigator.locks) {
  const tabs = new BroadcastChannel("live");
  tabs.onmessage = hear;
  navigator.locks.request("live", () => new Promise(() => {
    new EventSource("/live").onmessage = (event) => {
      hear(event);
      tabs.postMessage(event.data);
    };
  }));
}
