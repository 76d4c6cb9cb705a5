"""Lesson 03 · Depthwise separable convolution."""

from helpers.lessons import explorers_of

__getattr__ = explorers_of(__name__)
