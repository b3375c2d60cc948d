"""Alert rules: what is told, after how long, and what people change about that."""

from __future__ import annotations

from typing import Annotated, Self

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from analytics.alerts.rule_changes import Origin, RuleView
from analytics.alerts.rules import MOST_S, Severity
from serve.api.bodies import StrictRoute
from serve.api.dependencies import InRegistry
from serve.api.errors import BODY_RESPONSES, RESPONSES, UNKNOWN
from serve.api.routing import KnownParameters
from serve.api.security import Operator, Viewer

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Viewer, KnownParameters],
    responses=RESPONSES,
    tags=["alerts"],
    route_class=StrictRoute,
)
RuleName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{0,63}$", description="Of the rule.", examples=["camera-down"])]


class AlertRuleBody(BaseModel):
    """What is to be otherwise of a rule than the settings say; what is left out, or null, is as they say."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={"example": {"severity": "warning", "hold_s": 120}},
    )
    enabled: bool | None = Field(None, description="Whether anything is told by it.")
    severity: Severity | None = None
    hold_s: float | None = Field(
        None, ge=0, le=MOST_S["hold_s"], description="The problem has to last for so long before it is told, seconds."
    )
    clear_s: float | None = Field(
        None, ge=0, le=MOST_S["clear_s"], description="It has to be gone for so long before it is over, seconds."
    )
    cooldown_s: float | None = Field(
        None,
        ge=0,
        le=MOST_S["cooldown_s"],
        description="Least time from telling that it is over to telling that it is back, seconds.",
    )
    only_open: bool | None = Field(None, description="Whether nothing is wrong while the site is closed.")


class AlertRuleAnswer(BaseModel):
    """A rule as it holds."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "camera-down",
                "severity": "warning",
                "summary": "The camera cannot be reached.",
                "advice": "Look whether it has power and network.",
                "hold_s": 120.0,
                "clear_s": 20.0,
                "cooldown_s": 600.0,
                "only_open": False,
                "enabled": True,
                "origins": {
                    "enabled": "default",
                    "severity": "api",
                    "hold_s": "api",
                    "clear_s": "settings",
                    "cooldown_s": "default",
                    "only_open": "default",
                },
            }
        }
    )
    name: str
    severity: Severity
    summary: str = Field(description="What has happened.")
    advice: str = Field(description="What to do about it.")
    hold_s: float = Field(description="The problem has to last for so long before it is told, seconds.")
    clear_s: float = Field(description="It has to be gone for so long before it is over, seconds.")
    cooldown_s: float = Field(
        description="Least time from telling that it is over to telling that it is back, seconds."
    )
    only_open: bool = Field(description="Whether nothing is wrong while the site is closed.")
    enabled: bool = Field(description="Whether anything is told by it.")
    origins: dict[str, Origin] = Field(
        description="Of each value that can be changed, who says so: `default` nobody, `settings` the settings, `api` "
        "somebody over the API, who is right."
    )

    @classmethod
    def of(cls, view: RuleView) -> Self:
        rule = view.rule
        return cls(
            name=rule.name,
            severity=rule.severity,
            summary=rule.summary,
            advice=rule.advice,
            hold_s=rule.hold_s,
            clear_s=rule.clear_s,
            cooldown_s=rule.cooldown_s,
            only_open=rule.only_open,
            enabled=view.enabled,
            origins=dict(view.origins),
        )


@router.get("/alert-rules")
async def list_alert_rules(registry: InRegistry) -> list[AlertRuleAnswer]:
    """All rules by name, those too that are not enabled."""
    return [AlertRuleAnswer.of(view) for view in await registry.alert_rules()]


@router.put("/alert-rules/{name}", dependencies=[Operator], responses=BODY_RESPONSES | UNKNOWN)
async def put_alert_rule(name: RuleName, body: AlertRuleBody, registry: InRegistry) -> AlertRuleAnswer:
    """Change a rule, in place of what was changed of it over the API before.

    It holds within a second or so. A rule that is not enabled ends its alerts, which is told to those who know of them.
    """
    return AlertRuleAnswer.of(await registry.change_alert_rule(name, body.model_dump(exclude_none=True)))


@router.delete("/alert-rules/{name}", status_code=204, dependencies=[Operator], responses=UNKNOWN)
async def delete_alert_rule(name: RuleName, registry: InRegistry) -> None:
    """Take back what was changed of a rule over the API: what the settings say holds."""
    await registry.change_alert_rule(name, {})
