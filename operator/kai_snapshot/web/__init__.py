"""The visualizer API and the pages, over HTTP. The only place that knows starlette, uvicorn and jinja2."""
