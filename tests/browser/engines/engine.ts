// A browser as the journeys use it: as little as the protocols of all three engines have in common. What differs between them is in
// `puppeteer.ts` (Chromium, and Firefox by WebDriver BiDi) and `webkit.ts` (by WebDriver).

/** One page in a tab. */
export interface Tab {
  goto(url: string): Promise<void>;
  /** The value of an expression in the page. Throws while the page is being replaced by another. */
  evaluate<T>(expression: string): Promise<T>;
  /** Chooses files in an `<input type="file">`. */
  setFiles(selector: string, paths: string[]): Promise<void>;
  click(selector: string): Promise<void>;
  close(): Promise<void>;
}

/** A browser with an empty profile. */
export interface Profile {
  /** Another tab of this profile. */
  newTab(): Promise<Tab>;
  close(): Promise<void>;
}

export interface Engine {
  newProfile(): Promise<Profile>;
  close(): Promise<void>;
}

/** Whether a profile keeps files past a reload. WebKit's driver has private sessions only, which store no blobs. */
export const KEEPS_FILES: Readonly<Record<EngineName, boolean>> = { Chromium: true, Firefox: true, WebKit: false };

/**
 * How often a journey is tried. WebKit's driver is a debugging tool of a window system without a screen: now and then it does not hear that a
 * page has loaded, or a click comes to nothing. What failed the first time is shown, and is tried with everything fresh.
 */
export const TRIES: Readonly<Record<EngineName, number>> = { Chromium: 1, Firefox: 1, WebKit: 2 };

export type EngineName = "Chromium" | "Firefox" | "WebKit";

/** Where each is: a program. `cargo xtask test` installs it where it can, and says so where it cannot. */
export const PROGRAMS: Readonly<Record<EngineName, string | undefined>> = {
  Chromium: process.env.CHROMIUM,
  Firefox: process.env.FIREFOX,
  WebKit: process.env.WEBKIT_DRIVER,
};

const VARIABLES: Readonly<Record<EngineName, string>> = {
  Chromium: "CHROMIUM",
  Firefox: "FIREFOX",
  WebKit: "WEBKIT_DRIVER",
};

/** For `test`: why it is skipped, if it is. */
export function unlessThere(name: EngineName): { skip: string | false } {
  return { skip: PROGRAMS[name] ? false : `no ${name}: name its program in ${VARIABLES[name]}` };
}

export async function launch(name: EngineName): Promise<Engine> {
  const program = String(PROGRAMS[name]);
  if (name === "WebKit") {
    return await (await import("./webkit.ts")).WebKit.launch(program);
  }
  return await (await import("./puppeteer.ts")).launch(name === "Firefox" ? "firefox" : "chrome", program);
}
