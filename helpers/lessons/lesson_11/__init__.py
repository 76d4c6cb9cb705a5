"""Lesson 11 · Your own images."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
