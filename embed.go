package authproxy

import _ "embed" // the example

//go:embed config.example.env
var exampleEnv string

// ExampleEnv returns config.example.env: every setting of this version with
// what it means and its default, commented out.
func ExampleEnv() string { return exampleEnv }
