FROM --platform=$BUILDPLATFORM golang:1.26.11-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
# With .git, so that the program knows the commit it was built from.
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -buildid=" -o /authproxy ./cmd/authproxy

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="authproxy" \
      org.opencontainers.image.description="Authenticating reverse proxy for Clerk sessions" \
      org.opencontainers.image.source="https://github.com/manageros/authproxy" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /authproxy /authproxy
# The image's nonroot user, as a number: Kubernetes' runAsNonRoot can check only that.
USER 65532:65532
# The data listener. The admin listener keeps to the container's loopback.
EXPOSE 4180
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/authproxy", "healthcheck"]
ENTRYPOINT ["/authproxy"]
