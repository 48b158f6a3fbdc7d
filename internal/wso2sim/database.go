package wso2sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// record names something that a server keeps: its kind, and its id among those of its kind.
type record struct{ kind, id string }

// entry is a line of a database: what a record is from then on, or that it is no more.
type entry struct {
	Kind string          `json:"kind"`
	ID   string          `json:"id"`
	Is   json.RawMessage `json:"is,omitempty"` // absent where it was deleted
}

// database is a file with an entry per line; the last one of a record counts. It stands where the product has an
// embedded H2 database or a Solr index, under that name. Lines are only added while the server runs, so that a change
// costs what the change is and not what the database is, and a server that is killed loses nothing that it has written.
type database struct {
	path string
	file *os.File
}

const databaseHeader = "stand-in database, version 1\n"

// errEmptyDatabase is what H2 says when it finds no file: it makes an empty database, and a first query fails.
var errEmptyDatabase = errors.New("JdbcSQLSyntaxErrorException")

// openDatabase reads a database and opens it for writing. What no longer counts is cleaned away on the occasion. A file
// that does not exist is errEmptyDatabase; the missing table is named.
func openDatabase(path, table string) (*database, []entry, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return nil, nil, fmt.Errorf(`open the database %s: %w: Table %q not found (this database is empty); the product's seeded database is missing: copy the folder of a freshly unpacked home there`,
			path, errEmptyDatabase, table)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("open the database: %w", err)
	}
	entries, err := readEntries(data)
	if err != nil {
		return nil, nil, fmt.Errorf("open the database %s: %w", path, err)
	}
	d := &database{path: path}
	return d, entries, d.replace(entries)
}

// replace has the file hold these entries alone.
func (d *database) replace(entries []entry) error {
	if err := writeEntries(d.path, entries); err != nil {
		return err
	}
	if d.file != nil {
		d.file.Close() // of the file that is replaced
	}
	f, err := os.OpenFile(d.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	d.file = f
	return nil
}

// readEntries gives the last entry of every record that is still there, in the order in which the records came. A last
// line without its end was never acknowledged, and is left out.
func readEntries(data []byte) ([]entry, error) {
	body, ok := bytes.CutPrefix(data, []byte(databaseHeader))
	if !ok {
		return nil, errors.New("it is no database of a stand-in")
	}
	at := map[record]int{}
	var all []entry
	for number := 2; ; number++ {
		line, rest, whole := bytes.Cut(body, []byte("\n"))
		if !whole {
			break
		}
		body = rest
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("line %d is damaged: %w", number, err)
		}
		key := record{e.Kind, e.ID}
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, e)
		}
		all[i].Is = e.Is
		if e.Is == nil {
			delete(at, key) // one that comes again stands at its new place
		}
	}
	var kept []entry
	for _, e := range all {
		if e.Is != nil {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// writeEntries makes a file of its own and puts it in place of the one before.
func writeEntries(path string, entries []entry) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of %s: %w", path, err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write the database %s: %w", path, err)
	}
	out := bufio.NewWriter(f)
	_, err = out.WriteString(databaseHeader)
	for i := 0; err == nil && i < len(entries); i++ {
		err = writeEntry(out, entries[i])
	}
	err = errors.Join(err, out.Flush(), f.Chmod(0o640), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // it may be there no more
		return fmt.Errorf("write the database %s: %w", path, err)
	}
	return nil
}

func writeEntry(w io.Writer, e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// add writes entries, all in one go.
func (d *database) add(entries []entry) error {
	var lines bytes.Buffer
	for _, e := range entries {
		if err := writeEntry(&lines, e); err != nil {
			return fmt.Errorf("write the database %s: %w", d.path, err)
		}
	}
	if _, err := d.file.Write(lines.Bytes()); err != nil {
		return fmt.Errorf("write the database %s: %w", d.path, err)
	}
	return nil
}

// datasource is a database of a product: its table in deployment.toml, its file by default, and a table that its
// product looks for first.
type datasource struct{ name, file, table string }

// agentDatabase is the data source that IS has from 7.2.0 on, in [datasource] and not in [database].
const agentDatabase = "AgentIdentity"

// databaseDir is where the products have their embedded databases, and indexFile where API Manager has its index.
const (
	databaseDir = "repository/database"
	indexFile   = "solr/data/apis.index"
)

func datasources(product string, b Behaviour) []datasource {
	shared := []datasource{
		{"shared_db", "WSO2SHARED_DB", "REG_CLUSTER_LOCK"}, {"local", "WSO2CARBON_DB", "REG_CLUSTER_LOCK"},
	}
	if product == ProductIS {
		shared = append(shared, datasource{"identity_db", "WSO2IDENTITY_DB", "IDN_BASE_TABLE"})
		if b.AgentDatabase {
			shared = append(shared, datasource{agentDatabase, "WSO2AGENTIDENTITY_DB", "UM_TENANT"})
		}
		return shared
	}
	return append(shared, datasource{"apim_db", "WSO2AM_DB", "IDN_BASE_TABLE"})
}

// seeds are the databases of a fresh home by their path in it.
func seeds(product string, b Behaviour) map[string][]byte {
	files := map[string][]byte{}
	for _, d := range datasources(product, b) {
		files[filepath.Join(databaseDir, d.file+".mv.db")] = []byte(databaseHeader)
	}
	return files
}

// path is where the configuration has the file of the data source.
func (d datasource) path(home string, s settings) (string, error) {
	table := "database." + d.name
	if d.name == agentDatabase {
		table = "datasource." + d.name
	}
	if kind := s.text(table+".type", "h2"); kind != "h2" {
		return "", fmt.Errorf("open %s: its type is %q, and the stand-in has none but the embedded h2, for which a file stands", table, kind)
	}
	url := s.text(table+".url", "jdbc:h2:./"+databaseDir+"/"+d.file)
	file, ok := strings.CutPrefix(url, "jdbc:h2:")
	if !ok {
		return "", fmt.Errorf("open %s: the url %q is none of the embedded h2", table, url)
	}
	file, _, _ = strings.Cut(strings.TrimPrefix(file, "file:"), ";")
	if !filepath.IsAbs(file) {
		file = filepath.Join(home, file)
	}
	return file + ".mv.db", nil
}

// lockFolder keeps a second server away from the databases, as H2 does. The lock ends with the file or the process.
func lockFolder(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("lock the databases: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the databases in %s: Database may be already in use: %w", path, err)
	}
	return f, nil
}
