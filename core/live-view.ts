/** What lets a part that was handed some settings once see them as they are now. */

/** An object whose fields are those of `read()` at the moment that they are read. To spread it takes what is there then. */
export function liveView<T extends object>(read: () => T): T {
  return new Proxy(read(), {
    get: (_, name): unknown => Reflect.get(read(), name),
    has: (_, name) => Reflect.has(read(), name),
  });
}

/** `make(read())`, made anew only when `read()` answers something else. */
export function derived<From, To>(read: () => From, make: (from: From) => To): () => To {
  let last: { readonly from: From; readonly to: To } | undefined;
  return () => {
    const from = read();
    if (last === undefined || last.from !== from) last = { from, to: make(from) };
    return last.to;
  };
}
