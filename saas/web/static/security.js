// Passkeys, and codes that are copied or printed. Without it pages say what does not work; everything else does.
"use strict";

const decode = (text) => {
  const padded = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
};

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

const described = (list) => (list ?? []).map((each) => ({ ...each, id: decode(each.id) }));

// What the browser is asked, from the JSON of the page.
function requested(kind, options) {
  const publicKey = { ...options, challenge: decode(options.challenge) };
  if (kind === "create") {
    publicKey.user = { ...options.user, id: decode(options.user.id) };
    publicKey.excludeCredentials = described(options.excludeCredentials);
  } else {
    publicKey.allowCredentials = described(options.allowCredentials);
  }
  return { publicKey };
}

// What it answered, as the server reads it.
function answered(credential) {
  const { response } = credential;
  const fields = { clientDataJSON: encode(response.clientDataJSON) };
  if (response.attestationObject) {
    fields.attestationObject = encode(response.attestationObject);
    fields.transports = response.getTransports?.() ?? [];
  } else {
    fields.authenticatorData = encode(response.authenticatorData);
    fields.signature = encode(response.signature);
    if (response.userHandle) fields.userHandle = encode(response.userHandle);
  }
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: encode(credential.rawId), type, response: fields, clientExtensionResults: {} });
}

const TROUBLE = {
  InvalidStateError: "This device has a passkey for your account already.",
  NotAllowedError: "That did not work, or took too long. Try again, or use another way.",
  SecurityError: "Passkeys do not work at this address.",
};

async function answer(form) {
  const trouble = form.querySelector("[data-trouble]");
  trouble.hidden = true;
  try {
    const kind = form.dataset.passkey;
    const credential = await navigator.credentials[kind](requested(kind, JSON.parse(form.dataset.options)));
    form.elements.credential.value = answered(credential);
    form.submit();
  } catch (error) {
    trouble.textContent = TROUBLE[error.name] ?? "That did not work. Try again, or use another way.";
    trouble.hidden = false;
  }
}

if (window.PublicKeyCredential) {
  for (const note of document.querySelectorAll("[data-no-passkey]")) note.hidden = true;
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      answer(form);
    });
  }
}

for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const items = document.querySelectorAll(`${button.dataset.copy} > li`);
    await navigator.clipboard.writeText([...items].map((item) => item.textContent.trim()).join("\n"));
    button.textContent = button.dataset.done;
  });
}

for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());
