"""Lesson 10 · On the device."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
