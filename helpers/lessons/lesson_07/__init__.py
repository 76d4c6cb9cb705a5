"""Lesson 07 · Training."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
