// A button that copies the text of another element, by its id. Without it the text is marked by a click.
"use strict";

for (const button of document.querySelectorAll("[data-copy-text]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copyText).textContent.trim());
    button.firstChild.textContent = button.dataset.done;
  });
}
