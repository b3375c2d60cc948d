"""What a registered stream is, one module a source type; importable without Ray and without a web framework."""
