package keysfile

import "slices"

// Merge returns the keys after a run that knows some of them: those that it knows now, and those of earlier runs that it says nothing
// about. Applications keep their order and new ones follow; of an application the keys that the run knows are first. A secret that the
// server shows only once comes from an earlier run. If an application has another id than before, its earlier keys are not kept.
func Merge(before, now []Key) (keys []Key) {
	var names []string
	for _, k := range slices.Concat(before, now) {
		if !slices.Contains(names, k.Application) {
			names = append(names, k.Application)
		}
	}
	for _, name := range names {
		keys = append(keys, mergeOne(of(before, name), of(now, name))...)
	}
	return keys
}

func of(keys []Key, application string) (own []Key) {
	for _, k := range keys {
		if k.Application == application {
			own = append(own, k)
		}
	}
	return own
}

// mergeOne merges the keys of one application.
func mergeOne(before, now []Key) (keys []Key) {
	for _, k := range now {
		i := slices.IndexFunc(before, func(b Key) bool { return b.ConsumerKey == k.ConsumerKey })
		if k.ConsumerSecret == "" && i >= 0 {
			k.ConsumerSecret = before[i].ConsumerSecret
		}
		keys = append(keys, k)
	}
	for _, b := range before {
		known := slices.ContainsFunc(now, func(k Key) bool {
			return k.ApplicationID != b.ApplicationID || k.Type == b.Type && k.KeyManager == b.KeyManager
		})
		if !known {
			keys = append(keys, b)
		}
	}
	return keys
}
