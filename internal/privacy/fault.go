package privacy

// Place is where something is wrong: a JSON pointer (RFC 6901), or a module's file with line and column.
type Place struct {
	Location string
	Message  string
}

// FaultError is an error with the places it is about. Neither places nor messages repeat what was sent.
type FaultError struct {
	Err    *Error
	Places []Place
}

// Error implements error.
func (f *FaultError) Error() string { return f.Err.Error() }

// Unwrap gives the error without the places.
func (f *FaultError) Unwrap() error { return f.Err }

// maxPlaces keeps errors short.
const maxPlaces = 20

// WithPlaces gives an error the places it is about, the first twenty of them.
func WithPlaces(err *Error, places []Place) error {
	return &FaultError{Err: err, Places: places[:min(len(places), maxPlaces)]}
}
