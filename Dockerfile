# Holdfast beside pg_dump. The last image has the tag of the PostgreSQL server,
# because pg_dump must not be older than the server.
FROM docker.io/library/golang:1.26-alpine AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /holdfast ./cmd/holdfast

FROM docker.io/library/postgres:17-alpine
COPY --from=build /holdfast /usr/local/bin/holdfast
ENV HOLDFAST_CONFIG=/var/lib/holdfast/config.yaml HOLDFAST_STATE=/var/lib/holdfast
RUN install -d -m 700 -o 1000 -g 1000 /var/lib/holdfast
VOLUME /var/lib/holdfast
USER 1000:1000
ENTRYPOINT ["holdfast"]
