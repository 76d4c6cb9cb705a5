"""Lesson 05 · Width and resolution."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
