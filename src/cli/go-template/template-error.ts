/** What is wrong with a template, or with what it does to a value, in the layout of Go: `template: :1:13: executing "" at <.ID>: …`. */
export class TemplateError extends Error {}

/** A fault of a function or look-up, before it is known where in the template it happened. */
export class ValueError extends Error {}
