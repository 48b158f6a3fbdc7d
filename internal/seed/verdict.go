package seed

// verdict says what a merge does where the new stock and the one before differ.
type verdict int

const (
	leave    verdict = iota // the server's own is right
	follow                  // the server's own takes over the change
	conflict                // the server's own stays, and the report names it
)

// judge compares three versions of one value. Each has a form that is equal for equal values and empty for none.
func judge(base, seed, own string) verdict {
	switch {
	case base == seed || own == seed:
		return leave
	case own == base:
		return follow
	}
	return conflict
}

// actionFor is the action of a change that the server's own takes over.
func actionFor(seed, own string) Action {
	switch {
	case own == "":
		return Added
	case seed == "":
		return Dropped
	}
	return Replaced
}

const changedByBoth = "it was changed here and by the new image"
