// @ts-check
/** Adds a button to a text that is meant to be copied; without scripts it is selected by hand. */
class CopyText extends HTMLElement {
  connectedCallback() {
    const text = this.querySelector("pre");
    if (!text || this.querySelector("button") || !navigator.clipboard) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button copy";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(text.textContent ?? "");
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    this.append(button);
  }
}

customElements.define("copy-text", CopyText);
