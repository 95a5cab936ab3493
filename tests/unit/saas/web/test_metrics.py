import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from saas.kit.metrics import Metrics
from saas.web.errors import install_error_handlers
from saas.web.metrics import metrics_route


@pytest.mark.parametrize(
    ("host", "address", "status"),
    [
        ("localhost:8000", "127.0.0.1", 200),
        ("127.0.0.1:8000", "127.0.0.1", 200),
        ("10.1.2.3:8000", "10.9.9.9", 200),
        ("api.example.com", "10.9.9.9", 200),
        ("api.example.com", "8.8.8.8", 404),
        ("acme.example.com", "10.9.9.9", 404),
        ("localhost", "8.8.8.8", 404),
    ],
)
async def test_it_answers_those_who_run_the_machines(host: str, address: str, status: int) -> None:
    metrics = Metrics("7")
    metrics.gauge("saas_things", "Things", lambda: 3)
    metrics.counters("saas_events", "Events", "kind", lambda: {"a": 1})
    app = FastAPI()
    app.router.routes.append(metrics_route(metrics, {"api.example.com"}, ()))
    install_error_handlers(app)
    transport = ASGITransport(app, client=(address, 1))
    async with AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get("/metrics", headers={"Host": host})
    assert answer.status_code == status
    assert ('saas_things{process="7"} 3.0' in answer.text) == (status == 200)
    assert ('saas_events_total{kind="a",process="7"} 1.0' in answer.text) == (status == 200)
