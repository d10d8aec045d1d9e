/** The wind at one island, and which server told it. */
struct Forecast {
  1: string island
  2: i32 beaufort
  3: string servedBy
  /** THeader headers that the server saw on the call: here a route's request mutation shows. */
  4: map<string, string> headersSeen
}

service Wind {
  Forecast forecast(1: string island)
  Forecast warning(1: string island)
  oneway void observe(1: string island, 2: i32 beaufort)
}
