# The agent's image: one static program and the CA certificates, nothing else. It runs as any user; in front of a
# product's volumes that must be the product's own (802:802 for Identity Server, 10001:10001 for API Manager).
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/agent cmd/agent
COPY internal internal
ARG TARGETOS TARGETARCH VERSION=unknown
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/agent ./cmd/agent

FROM scratch
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="wso2agent" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/agent /agent
USER 65532:65532
ENTRYPOINT ["/agent"]
CMD ["help"]
