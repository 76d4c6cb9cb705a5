"""Lesson 08 · Evaluation."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
