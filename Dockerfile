# The agent's image: one static program, the CA certificates, and folders that give fresh volumes their owners.
#
# What is copied is one prepared tree, whose times are those of the commit (SOURCE_DATE_EPOCH): two builds of one commit are
# equal to the byte.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd/agent cmd/agent
COPY internal internal
ARG TARGETOS TARGETARCH VERSION=unknown
RUN mkdir /out && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags nethttpomithttp2 -gcflags=all=-l -gcflags=wso2agent/internal/keystore= -gcflags=crypto/...= -gcflags=hash/...= \
    -gcflags=runtime/...= -trimpath -ldflags "-s -w -funcalign=4 -X main.version=$VERSION" -o /out/agent ./cmd/agent

# A fresh named volume takes owner and mode from the folder that it is mounted on first. The products' images have no such
# folders, and their servers run as 802:802 (Identity Server) and 10001:10001 (API Manager).
ARG SOURCE_DATE_EPOCH=0
RUN install -D -m 644 /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ca-certificates.crt \
 && install -d -m 755 -o 65532 -g 65532 /out/volumes/program \
 && install -d -m 1777 /out/volumes/exchange \
 && install -d -m 750 -o 802 -g 802 /out/volumes/is/config /out/volumes/is/artifacts \
 && install -d -m 750 -o 10001 -g 10001 /out/volumes/am/config /out/volumes/am/artifacts /out/volumes/am/solr \
 && install -d -m 700 -o 10001 -g 10001 /out/volumes/am/keys \
 && install -d -m 755 -o 802 -g 802 /out/volumes/dbscripts/is \
 && install -d -m 755 -o 10001 -g 10001 /out/volumes/dbscripts/am \
 && install -d -m 755 -o 65534 -g 65534 /out/volumes/record \
 && find /out -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +

FROM scratch
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="wso2agent" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /out/ /
USER 65532:65532
# Asks the sidecar ("agent run") whether it is ready; other lives of the agent end by themselves or have checks of their own.
HEALTHCHECK --interval=10s --timeout=25s --start-period=600s CMD ["/agent", "probe"]
ENTRYPOINT ["/agent"]
CMD ["help"]
