package desired

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"wso2agent/internal/file"
)

// The largest sizes, in bytes, of a file of the configuration, and of a file that it names. API-M takes no larger ones.
const (
	limit      = 4 << 20
	namedLimit = 10 << 20
)

// FromSystem returns a source that reads the files of this machine. env and secret are as in [Source].
func FromSystem(env func(string) (string, bool), secret func(string) bool) Source {
	return Source{Env: env, Secret: secret, ReadFile: func(path string) ([]byte, error) { return file.Read(path, namedLimit) }}
}

// FileError is a file or a folder that cannot be read, or a folder without files.
type FileError struct {
	Path string
	Err  error // which names the path
}

// Error returns the text of Err.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

// Load reads files, and all files *.yaml and *.yml of folders in the order of their names, each once, and merges them. Its error is
// [Problems] with all mistakes if the files can be read; then it also returns what it could read. Otherwise it wraps a [FileError].
func Load(source Source, paths ...string) (*File, error) {
	var inputs []Input
	var known []os.FileInfo
	for _, path := range paths {
		names, err := FilesOf(path)
		if err != nil {
			return nil, &FileError{path, err}
		}
		for _, name := range names {
			if info, err := os.Stat(name); err == nil { // otherwise reading it reports what is wrong with it
				if slices.ContainsFunc(known, func(other os.FileInfo) bool { return os.SameFile(info, other) }) {
					continue
				}
				known = append(known, info)
			}
			data, err := file.Read(name, limit)
			if err != nil {
				return nil, &FileError{name, err}
			}
			inputs = append(inputs, Input{name, data})
		}
	}
	return Parse(source, inputs...)
}

// FilesOf returns the path of a file, or the paths of the files in a folder that [Load] reads.
func FilesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, nil // reading it reports what is wrong with it
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") && e.Name()[0] != '.' {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the folder %s has no *.yaml and no *.yml", path)
	}
	return names, nil
}

// Input is a file that has been read.
type Input struct {
	Name string // its path, for messages and for the files that it names
	Data []byte
}

// Parse is [Load] for files that have been read. The File is nil only if no file is YAML. Without inputs there is no error either.
func Parse(source Source, inputs ...Input) (*File, error) {
	var merged *File
	var loose List[Subscription]
	var problems Problems
	var names []string
	partial := false
	for _, in := range inputs {
		names = append(names, in.Name)
		d, mistakes := read(in.Data, in.Name, source)
		problems = append(problems, mistakes...)
		if d.begin == (Place{}) {
			partial = true // no YAML
			continue
		}
		d.fold(&problems)
		if fill(&loose, d.Subscriptions); loose.At != d.Subscriptions.At {
			loose.Value = append(loose.Value, d.Subscriptions.Value...)
		}
		if merged == nil {
			merged = &d.File
			continue
		}
		maps.Copy(merged.words, d.words)
		merge(reflect.ValueOf(merged).Elem(), reflect.ValueOf(&d.File).Elem(), &problems)
	}
	if merged == nil {
		return nil, problems.Err()
	}
	merged.files, merged.partial = names, partial
	merged.subscribe(loose, &problems)
	merged.tiers(&problems)
	merged.check(&problems)
	return merged, merged.Sorted(problems).Err()
}

// merge adds the fields of another file. Lists become longer, and any other field stands in one file only.
func merge(into, from reflect.Value, problems *Problems) {
	for _, c := range columns(into.Type()) {
		here, more := into.FieldByIndex(c.index), from.FieldByIndex(c.index)
		value := here.FieldByName("Value")
		switch {
		case !more.FieldByName("Set").Bool():
		case !here.FieldByName("Set").Bool():
			here.Set(more)
		case value.Kind() == reflect.Slice:
			value.Set(reflect.AppendSlice(value, more.FieldByName("Value")))
			here.FieldByName("Null").SetBool(value.Len() == 0)
		case value.Kind() == reflect.Struct:
			merge(value, more.FieldByName("Value"), problems)
		default:
			problems.Add(more.FieldByName("At").Interface().(Place), "keep one of them", "%s stands here and at %s", c.name, here.FieldByName("At").Interface())
		}
	}
}

// entry is an entry of a list, as its key identifies it.
type entry struct {
	key   string // empty: it has none, and is left out
	title string // what a message calls it
	at    Place
	value any // a pointer to a struct of the model, which may be large
}

// again calls report for each entry whose key an earlier one has, with the first of that key.
func again(entries []entry, report func(e, first entry)) {
	firsts := make(map[string]entry, len(entries))
	for _, e := range entries {
		switch first, known := firsts[e.key]; {
		case e.key == "":
		case known:
			report(e, first)
		default:
			firsts[e.key] = e
		}
	}
}

// twice reports entries that stand twice, in one file or in two. It names both places, and what differs.
func twice(entries []entry, w words, problems *Problems) {
	again(entries, func(e, before entry) {
		mine, theirs, differs := differ(e.value, before.value)
		switch {
		case e.at.File == before.at.File:
			problems.Add(e.at, "", "%s appears twice, first on line %d", e.title, before.at.Line)
		case !differs:
			problems.Add(e.at, "keep one of them", "%s appears twice, first at %s", e.title, before.at)
		default:
			problems.Add(e.at, "keep one of them", "%s appears twice with different contents, first at %s: %s", e.title, before.at, w.where(mine, theirs))
		}
	})
}

// where words where two entries differ.
func (w words) where(here, there leaf) string {
	if here.at == (Place{}) || there.at == (Place{}) {
		at := cmp.Or(here.at, there.at)
		return fmt.Sprintf("%s is only at %s", w.of(at, here.path), at)
	}
	return fmt.Sprintf("%s is at %s and at %s", w.of(here.at, here.path), here.at, there.at)
}
