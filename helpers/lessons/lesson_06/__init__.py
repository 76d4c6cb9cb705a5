"""Lesson 06 · Transfer learning."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
