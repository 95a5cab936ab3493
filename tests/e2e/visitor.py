"""A person with a browser that knows links, forms, cookies and redirects, and nothing of the product; and ways to reach
a tenant's host at a server process on loopback, where names below `localhost` may not resolve."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
import requests
from requests.adapters import HTTPAdapter

#: Redirects and forms between a request and its end.
_MOST_STEPS = 12


class Wire(httpx.AsyncHTTPTransport):
    """Connects to the server whatever the URL's host is, which only the Host header names."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(host="127.0.0.1", port=self._port)
        sent = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await super().handle_async_request(sent)


class Wire2(httpx2.AsyncHTTPTransport):
    """As `Wire`, for Authlib, which sends with httpx2."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url.copy_with(host="127.0.0.1", port=self._port)
        sent = httpx2.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await super().handle_async_request(sent)


class Adapter(HTTPAdapter):
    """As `Wire`, for requests."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        request.headers["Host"] = urlsplit(request.url or "").netloc
        return super().send(request, *arguments, **options)

    def get_connection_with_tls_context(self, *_: Any, **__: Any) -> Any:
        return self.poolmanager.connection_from_host("127.0.0.1", self._port, "http")


@dataclass
class Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    #: (name, value) of what sends it.
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Parser(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            assert given["method"] == "post"
            self.forms.append(Form(given.get("action", "")))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            self.forms[-1].buttons.append((given.get("name", ""), given.get("value", "")))
        elif tag == "a" and "button" in given.get("class", ""):
            self.links.append(given["href"])


class Visitor:
    """Signs in where a page asks for it, and presses `decision` where one asks for that."""

    def __init__(self, port: int, email: str, password: str) -> None:
        self.http = httpx.AsyncClient(transport=Wire(port), timeout=30)
        self._email, self._password = email, password
        #: What pages asked for, in their order: "password" or "decision".
        self.asked: list[str] = []

    async def follow(self, url: str, until: str, decision: str = "allow") -> str:
        """The first address that begins with `until`, to which the browser would go next."""
        answer = await self.http.get(url)
        for _ in range(_MOST_STEPS):
            if answer.is_redirect:
                target = str(answer.url.join(answer.headers["location"]))
                if target.startswith(until):
                    return target
                answer = await self.http.get(target)
            else:
                answer = await self._act(answer, decision)
        raise AssertionError("The browser is led in circles")

    async def _act(self, page: httpx.Response, decision: str) -> httpx.Response:
        assert page.status_code == httpx.codes.OK, page.text
        seen = _Parser(page.text)
        for form in seen.forms:
            if "password" in form.fields:
                self.asked.append("password")
                return await self._send(page, form, email=self._email, password=self._password)
            if ("decision", decision) in form.buttons:
                self.asked.append("decision")
                return await self._send(page, form, decision=decision)
        return await self.http.get(page.url.join(seen.links[0]))

    async def _send(self, page: httpx.Response, form: Form, **typed: str) -> httpx.Response:
        return await self.http.post(page.url.join(form.action), data=form.fields | typed)
