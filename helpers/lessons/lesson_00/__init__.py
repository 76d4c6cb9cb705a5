"""Lesson 00 · Quick tour."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
