"""Lesson 04 · MobileNet from scratch."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
