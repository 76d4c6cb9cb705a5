"""Lesson 09 · Other lightweight networks."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
