// A file of its own, since the page's Content-Security-Policy allows no inline script.
const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null,
});

// /docs?client_id=app_... fills the client in under Authorize; the secret is typed in, and kept nowhere.
ui.initOAuth({ clientId: new URLSearchParams(location.search).get("client_id") ?? "" });
