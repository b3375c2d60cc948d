"""Alerts: what is wrong in, what people are told out; and when they may be expected at all."""
