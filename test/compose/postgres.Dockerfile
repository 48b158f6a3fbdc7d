# PostgreSQL, like the official image as far as compose.postgres.yml goes: psql and the server on the path, its data and its
# administrator's password where that has them.
FROM debian:trixie-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null && rm -rf /var/lib/apt/lists/* \
 && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ 2>/dev/null; \
    install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data && install -d -o postgres -g postgres /run/postgresql
COPY --chmod=755 test/compose/postgres-entrypoint.sh /entrypoint.sh
USER postgres
ENTRYPOINT ["/entrypoint.sh"]
