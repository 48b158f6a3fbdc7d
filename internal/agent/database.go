package agent

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
)

// stockDatabases is what the seed step writes of the databases that the product ships: digest, size and name of each, one
// on a line.
const stockDatabases = "seed/databases"

// databaseState says whether the server's database is new. text is that of its deployment.toml.
func databaseState(cfg config.Config, text []byte) (server.DatabaseState, error) {
	started, _, err := notify.Control{Dir: ControlDir(cfg)}.Started()
	if err != nil {
		return "", err
	}
	e := server.DatabaseEvidence{Started: started.Since}
	switch {
	case cfg.Database == "postgres":
		err = recordedBy(&e, filepath.Join(cfg.DBRecordDir, cfg.Product))
	case server.UsesEmbedded(text):
		err = embedded(&e, cfg)
	}
	return e.State(), err
}

// recordedBy adds what the job that makes the databases has recorded.
func recordedBy(e *server.DatabaseEvidence, path string) error {
	data, err := file.Read(path, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	info, statErr := os.Stat(path)
	if err = errors.Join(err, statErr); err != nil {
		return fmt.Errorf("read what the databases job has recorded: %w", err)
	}
	e.Recorded, e.RecordedAt = strings.TrimSpace(string(data)), info.ModTime()
	return nil
}

// embedded adds what the volume of the embedded database shows, if this agent sees it.
func embedded(e *server.DatabaseEvidence, cfg config.Config) error {
	f, err := os.Open(filepath.Join(cfg.ServerHome, server.EmbeddedDatabase))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the server's database: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("look at the server's database: %w", err)
	}
	e.File = "of another size"
	size, digest, err := stockDatabase(filepath.Join(ControlDir(cfg), stockDatabases), filepath.Base(server.EmbeddedDatabase))
	if err != nil || digest == "" || size != info.Size() { // a used one can be large
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("look at the server's database: %w", err)
	}
	e.File, e.Stock = fmt.Sprintf("%x", h.Sum(nil)), digest
	return nil
}

// stockDatabase is the size and the digest of a database as shipped; without a digest where nobody has written them.
func stockDatabase(path, name string) (size int64, digest string, err error) {
	data, err := file.Read(path, 1<<16)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("read which databases the product ships: %w", err)
	}
	lines := bufio.NewScanner(strings.NewReader(string(data)))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) == 3 && fields[2] == name {
			size, err = strconv.ParseInt(fields[1], 10, 64)
			return size, fields[0], err
		}
	}
	return 0, "", nil
}

// databaseTimeout is how long PostgreSQL may take to accept a connection.
const databaseTimeout = 2 * time.Second

// databaseDown says why the servers cannot check passwords now: PostgreSQL does not answer. Of other databases nothing is
// known.
func databaseDown(cfg config.Config) func(context.Context) (why string) {
	if cfg.Database != "postgres" {
		return nil
	}
	address := net.JoinHostPort(cfg.DBHost, strconv.Itoa(cfg.DBPort))
	return func(ctx context.Context) string {
		dialer := net.Dialer{Timeout: databaseTimeout}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		switch {
		case err == nil:
			conn.Close()
			return ""
		case ctx.Err() != nil:
			return "" // nobody waits for the answer any more
		}
		return "the database " + address + " (PGHOST, PGPORT) does not answer"
	}
}
