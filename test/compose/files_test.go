//go:build compose

package compose

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheProjectsNameMakesTheContainersThatAreNamedInAdvice(t *testing.T) {
	w := newWorld(t)
	defer func(name string) { w.env["COMPOSE_PROJECT_NAME"] = name }(w.env["COMPOSE_PROJECT_NAME"])
	delete(w.env, "COMPOSE_PROJECT_NAME")
	if out := w.must("config"); !strings.HasPrefix(out, "name: innover\n") {
		t.Errorf("the project is %.40q", out)
	}
}

func TestTheProductsAloneWithoutAgents(t *testing.T) {
	w := newParallelWorld(t, "products")
	w.files = []string{"compose.yml"}
	w.up()
	w.wantStarts(1, 1)
}

// A compose file as the integration guide that many people copy has it, in a folder of its own.
const guides = `services:
  wso2is:
    image: wso2/wso2is:7.1.0
    ports: ["0:9443"]
    networks: [edge]
    depends_on: [postgres-wso2]
  wso2am:
    image: wso2/wso2am:4.5.0
    ports: ["0:9443", "0:8243"]
    networks: [edge]
    depends_on:
      wso2is:
        condition: service_healthy
  postgres-wso2:
    image: debian:trixie-slim
    command: [sleep, infinity]
    stop_signal: SIGKILL
    networks: [edge]
  payment-service:
    image: wso2agent:latest
    command: [backend]
    healthcheck: {test: [CMD, /agent, probe, "http://127.0.0.1:8080/"], interval: 2s, start_period: 30s}
    networks: {edge: {aliases: [customer-service, order-service, catalogue, notifier]}}
networks:
  edge:
    driver: bridge
`

// The same without a network of its own.
const plain = `services:
  wso2is:
    image: wso2/wso2is:7.1.0
    ports: ["0:9443"]
  wso2am:
    image: wso2/wso2am:4.5.0
    ports: ["0:9443", "0:8243"]
  payment-service:
    image: wso2agent:latest
    command: [backend]
    healthcheck: {test: [CMD, /agent, probe, "http://127.0.0.1:8080/"], interval: 2s, start_period: 30s}
    networks: {default: {aliases: [customer-service, order-service, catalogue, notifier]}}
`

func TestTheOverrideFitsOtherComposeFiles(t *testing.T) {
	for name, text := range map[string]string{"as the guide's": guides, "without a network": plain} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			own := w.dir
			w.dir = t.TempDir()
			if err := os.WriteFile(filepath.Join(w.dir, "docker-compose.yml"), []byte(strings.NewReplacer("wso2/wso2is:7.1.0", is.image, "wso2/wso2am:4.5.0", am.image).Replace(text)), 0o644); err != nil {
				t.Fatal(err)
			}
			w.files = []string{"docker-compose.yml", filepath.Join(own, "compose.override.yml")}
			w.env["AGENT_DIR"], w.env["FILES_DIR"] = own, filepath.Join(own, "examples")
			w.up()
			w.works()
			w.wantStarts(1, 1)
		})
	}
}

func TestPasswordsFromFiles(t *testing.T) {
	w := newParallelWorld(t, "secrets")
	w.files = []string{"compose.yml", "compose.override.yml", "compose.secrets.yml"}
	w.env["SECRETS_DIR"] = t.TempDir()
	if err := os.Chmod(w.env["SECRETS_DIR"], 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"am-admin-pass", "is-admin-pass"} {
		if err := os.WriteFile(filepath.Join(w.env["SECRETS_DIR"], name), []byte("secret-of-"+name+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	w.up()
	w.works()
	for _, service := range []string{"is-init", "am-init", "is-agent", "am-agent", "bootstrap", "wso2is", "wso2am"} {
		if strings.Contains(w.inspect(service, "{{.Config.Env}}"), "secret-of") {
			t.Errorf("a password is in the environment of %s", service)
		}
	}
	if log := w.compose("logs"); strings.Contains(log, "secret-of") {
		t.Error("a password is in the log")
	}
}

func TestPostgreSQL(t *testing.T) {
	w := newWorld(t)
	w.files = []string{"compose.yml", "compose.override.yml", "compose.postgres.yml"}
	if out, err := w.try("config", "-q"); err == nil || !strings.Contains(out, "in .env") {
		t.Errorf("without passwords the files are taken: %v\n%s", err, out)
	}
	w.env["AM_DB_PASSWORD"], w.env["IS_DB_PASSWORD"], w.env["PGPASSWORD"] = "of-am", "of-is", "of-all"
	w.env["POSTGRES_IMAGE"], w.env["POSTGRES_CONNECTIONS"] = "wso2agent-test/postgres", "90"
	w.docker("build", "-q", "-f", "../../test/compose/postgres.Dockerfile", "-t", w.env["POSTGRES_IMAGE"], "../..")
	for _, did := range []string{"made by am/apimgt/postgresql.sql", "made before, by am/apimgt/postgresql.sql"} {
		w.try("up", "databases", "--no-build", "--exit-code-from", "databases")
		if code := w.inspect("databases", "{{.State.ExitCode}}"); code != "0" {
			t.Fatalf("databases ends with %s:\n%s", code, w.compose("logs", "databases"))
		}
		if log := w.compose("logs", "databases"); !strings.Contains(log, did) {
			t.Errorf("it does not say %q:\n%s", did, log)
		}
	}
	if log := w.compose("logs", "databases"); !strings.Contains(log, "the server allows 90 connections") {
		t.Errorf("POSTGRES_CONNECTIONS does not reach the server, or nobody compares it with the pools:\n%s", log)
	}
	if real() {
		w.up()
		w.works()
		w.wantStarts(1, 1)
		return
	}
	// What the servers get: the stand-ins know no PostgreSQL, so only the inits run.
	w.try("up", "-d", "--no-build", "is-init", "am-init")
	w.must("wait", "is-init", "am-init")
	for service, want := range map[string]string{"is-init": "jdbc:postgresql://postgres:5432/identity_db?currentSchema=wso2is", "am-init": "jdbc:postgresql://postgres:5432/apim_db?currentSchema=wso2am"} {
		if got := string(w.file(service, "/home/wso2carbon/wso2-config-volume/repository/conf/deployment.toml")); !strings.Contains(got, want) || strings.Count(got, "maxActive = 20") != 2 {
			t.Errorf("the settings of %s do not have %s, or no limit of both pools:\n%s", service, want, got)
		}
	}
}
