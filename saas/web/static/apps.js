// Copies what an app's makers need, and looks at addresses while they are typed. The server looks again.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.firstElementChild;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    label.textContent = "Copied";
    setTimeout(() => { label.textContent = "Copy"; }, 4000);
  });
}

// As saas/authserver/redirect_uris.py and saas/oauth/kinds.py have it; null where the address can be used.
const URI = /^[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?[\]@!$&'()+,;=%-]+$/;
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::(\d{1,5}))?(?:[/?].*)?$/;

function problemWith(uri, kind) {
  if (uri.length > 2000) return "it is longer than 2000 characters";
  if (!URI.test(uri) || /%(?![0-9A-Fa-f]{2})/.test(uri)) {
    return "it is not an absolute URI without a fragment and without wildcards";
  }
  const scheme = uri.slice(0, uri.indexOf(":"));
  const rest = uri.slice(scheme.length + 1);
  if (scheme === "http" || scheme === "https") return problemWithWeb(uri, scheme, rest);
  if (!scheme.includes(".")) {
    return `the scheme ${scheme} is no app's own: use the reverse of a domain, like com.example.app`;
  }
  if (rest.startsWith("//") && rest.includes("@")) return "it names a host";
  return kind === "mobile" ? null : "an app of this kind is reached at a web address: begin with https://";
}

function problemWithWeb(uri, scheme, rest) {
  const authority = rest.startsWith("//") ? rest.slice(2).split(/[/?]/)[0] : "";
  if (authority.includes("@")) return "it holds a user name";
  const parts = /^([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(\d*))?$/.exec(authority);
  if (!parts || Number(parts[2] || 0) > 65535) return "its host is missing or malformed: write it in lower case";
  if (scheme === "http" && !LOOPBACK.test(uri)) {
    return "http is for this device alone (127.0.0.1, [::1], localhost): use https";
  }
  return null;
}

for (const part of document.querySelectorAll("[data-uris]")) {
  const area = part.querySelector("textarea");
  const note = document.createElement("p");
  note.className = "hint live";
  note.setAttribute("aria-live", "polite");
  area.after(note);
  let waiting;
  const look = () => {
    const found = area.value.split("\n").flatMap((line, index) => {
      const problem = line.trim() && problemWith(line.trim(), part.dataset.uris);
      return problem ? [`Line ${index + 1}: ${problem}.`] : [];
    });
    note.textContent = found.join(" ") || (area.value.trim() ? "This can be used." : "");
    note.classList.toggle("wrong", found.length > 0);
  };
  area.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(look, 400);  // not when the field is left: the page must not move under a click
  });
}
