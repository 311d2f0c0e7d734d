"""A project whose views are those of Django REST framework and of django-ninja."""

import os
from pathlib import Path
from typing import Any

from adrf.views import APIView as AsyncAPIView
from django.http import HttpRequest
from django.urls import path
from ninja import NinjaAPI
from rest_framework.permissions import IsAuthenticated
from rest_framework.views import APIView

from fileresponse.http import AiofileFileResponse
from fileresponse.streams import CSVResponse

FOLDER = Path(os.environ["FRAMEWORKS"])
api = NinjaAPI()


class Download(APIView):
    """A blocking view of Django REST framework."""

    def get(self, request: Any, name: str) -> AiofileFileResponse:
        """The file."""
        return AiofileFileResponse(FOLDER / name, as_attachment=True)


class AsyncDownload(AsyncAPIView):
    """An asynchronous one."""

    async def get(self, request: Any, name: str) -> AiofileFileResponse:
        """The file."""
        return AiofileFileResponse(FOLDER / name, as_attachment=True)


class MembersDownload(Download):
    """One that asks who it is."""

    permission_classes = (IsAuthenticated,)


class Rows(APIView):
    """One that sends rows."""

    def get(self, request: Any) -> CSVResponse:
        """A thousand rows."""
        return CSVResponse(([number] for number in range(1000)), ["Number"])


@api.api_operation(["GET", "HEAD"], "/blocking/{name}")
def blocking(request: HttpRequest, name: str) -> Any:
    """The file, from a blocking function."""
    return AiofileFileResponse(FOLDER / name, as_attachment=True)


@api.api_operation(["GET", "HEAD"], "/async/{name}")
async def asynchronous(request: HttpRequest, name: str) -> Any:
    """The file, from a coroutine."""
    return AiofileFileResponse(FOLDER / name, as_attachment=True)


urlpatterns = [
    path("drf/blocking/<name>", Download.as_view()),
    path("drf/async/<name>", AsyncDownload.as_view()),
    path("drf/members/<name>", MembersDownload.as_view()),
    path("drf/rows", Rows.as_view()),
    path("ninja/", api.urls),
]
