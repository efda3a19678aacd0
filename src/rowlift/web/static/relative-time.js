// @ts-check
/** Keeps "3 min ago" true while the page is open, and adds the reader's own time to the exact one. */
const UNITS = /** @type {const} */ ([["d", 86400], ["h", 3600], ["min", 60], ["s", 1]]);

/** @param {number} seconds */
function ago(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS[3];
  const count = Math.floor(Math.abs(seconds) / size);
  if (!count) return "just now";
  return seconds > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
}

class RelativeTime extends HTMLElement {
  connectedCallback() {
    const time = this.querySelector("time");
    if (!time) return;
    const at = new Date(time.dateTime);
    const own = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    time.title = `${time.title.split(" · ")[0]} · ${own}`;
    const say = () => { time.textContent = ago((Date.now() - at.getTime()) / 1000); };
    this.timer = setInterval(say, 10_000);
  }

  disconnectedCallback() {
    clearInterval(this.timer);
  }
}

customElements.define("relative-time", RelativeTime);
