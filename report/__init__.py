"""Collects what runs left and shows it: tables, statistics, claims, figures, a page. Knows no paper."""
