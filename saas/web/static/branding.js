// The examples follow what is typed. Without it, "Preview" shows them.
"use strict";

const all = (selector) => [...document.querySelectorAll(selector)];
const [name, accent, picker] = ["#name", "#accent", "[data-picker]"].map((each) => document.querySelector(each));
const sheet = document.querySelector("[data-preview]");
const COLOUR = /^#[0-9a-f]{6}$/;

if (name && accent) {
  let waiting = 0;

  // Contrast is the server's affair: it makes the stylesheet.
  const recolour = () => {
    const typed = accent.value.trim().toLowerCase();
    const colour = typed ? `#${typed.replace(/^#/, "")}` : picker.dataset.default;
    if (!COLOUR.test(colour)) return;
    picker.value = colour;
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      sheet.href = `/console/branding/preview.css?accent=${encodeURIComponent(colour)}`;
    }, 150);
  };

  picker.hidden = false;
  picker.addEventListener("input", () => {
    accent.value = picker.value;
    recolour();
  });
  accent.addEventListener("input", recolour);
  name.addEventListener("input", () => {
    const shown = name.value.trim() || "·";
    for (const each of all("[data-name]")) each.textContent = shown;
    for (const each of all("[data-initial]")) each.textContent = [...shown][0].toUpperCase();
  });
}

const file = document.querySelector("#logo");
const showLogo = () => {
  const [chosen] = file.files;
  const most = Number(file.dataset.most);
  const trouble = document.querySelector("#logo-error");
  trouble.hidden = !chosen || chosen.size <= most;
  if (!chosen) return;
  if (chosen.size > most) {
    const size = Math.ceil(chosen.size / 1024);
    document.querySelector("[data-logo-error]").textContent = `The file has ${size} kB: at most ${most / 1024} kB are allowed.`;
    return;
  }
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    for (const each of all("[data-logo]")) {
      each.src = reader.result;
      each.hidden = false;
    }
    for (const each of all("[data-initial]")) each.hidden = true;
  });
  reader.readAsDataURL(chosen);
};
file?.addEventListener("change", showLogo);
// Chosen before this ran, or kept by the browser when the page was loaded again.
if (file?.files.length) showLogo();
