package server

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
)

// StockDatabases is the file in the agent's folder on the config volume in which the seed step records the databases that
// the product ships: digest, size and name of each, one on each line.
const StockDatabases = "seed/databases"

// DatabaseFiles are the files that show whether a server's database is new.
type DatabaseFiles struct {
	Record string // path of the record of the job that makes databases in PostgreSQL; empty: the server uses another database
	Home   string // the server's home, with the embedded database
	Folder string // the agent's folder on the config volume, see [StockDatabases]
}

// databaseFilesOf returns the files by the agent's settings. folder is the agent's folder on the config volume.
func databaseFilesOf(cfg config.Config, folder string) DatabaseFiles {
	f := DatabaseFiles{Home: cfg.Server.Home, Folder: folder}
	if cfg.Database.Kind == "postgres" {
		f.Record = filepath.Join(cfg.Database.RecordDir, cfg.Server.Product)
	}
	return f
}

// State reads whether the database is new. text is that of the server's deployment.toml; started is when agent exec last
// started the server, zero if never.
func (f DatabaseFiles) State(text []byte, started time.Time) (_ DatabaseState, err error) {
	e := DatabaseEvidence{Started: started}
	switch {
	case f.Record != "":
		err = e.addRecord(f.Record)
	case UsesEmbedded(text):
		err = e.addEmbedded(f)
	}
	return e.State(), err
}

// addRecord adds the record of the job that makes the databases.
func (e *DatabaseEvidence) addRecord(path string) error {
	data, err := file.Read(path, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	info, statErr := os.Stat(path)
	if err = errors.Join(err, statErr); err != nil {
		return fmt.Errorf("read the record of the databases job: %w", err)
	}
	e.Recorded, e.RecordedAt = strings.TrimSpace(string(data)), info.ModTime()
	return nil
}

// addEmbedded adds what the file of the embedded database shows, if this agent sees it.
func (e *DatabaseEvidence) addEmbedded(files DatabaseFiles) error {
	f, err := os.Open(filepath.Join(files.Home, EmbeddedDatabase))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the server's database: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the server's database: %w", err)
	}
	e.File = "of another size"
	size, digest, err := stockDatabase(filepath.Join(files.Folder, StockDatabases), filepath.Base(EmbeddedDatabase))
	if err != nil || digest == "" || size != info.Size() { // a used one can be large
		return err
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("read the server's database: %w", err)
	}
	e.File, e.Stock = fmt.Sprintf("%x", h.Sum(nil)), digest
	return nil
}

// stockDatabase returns the size and the digest of a database as shipped. The digest is empty if the seed step recorded none.
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

// PostgresDown returns a function that says why the servers cannot check passwords now: PostgreSQL does not answer. It returns
// an empty text if PostgreSQL answers.
func PostgresDown(host string, port int) func(context.Context) (why string) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
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
