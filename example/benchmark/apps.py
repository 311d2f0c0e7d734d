"""A Django project in one call, for the applications that are compared."""

from typing import Any


def configure(*routes: tuple[str, Any], middleware: tuple[str, ...] = (), **more: Any) -> None:
    """Settings of a project with these views, and no middleware but what is named."""
    from django.conf import settings
    from django.urls import path

    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        MIDDLEWARE=list(middleware),
        ROOT_URLCONF=tuple(path(route, view) for route, view in routes),
        SECRET_KEY="benchmark",  # noqa: S106
        **more,
    )
