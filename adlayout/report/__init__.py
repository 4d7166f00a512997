"""A simulation as one HTML file: charts, and the articles that changed most."""

from adlayout.report.page import report as report
