"""The replicas of the Ray Serve graph, as plain classes; `serve.deployments.graph` makes deployments of them."""
