// Firefox by WebDriver BiDi, and Chromium by its own protocol, both through puppeteer.

import puppeteer, { type BrowserContext, type ElementHandle, type Page } from "puppeteer-core";

import { ARGS } from "../harbour.ts";
import type { Engine, Profile, Tab } from "./engine.ts";

export async function launch(browser: "chrome" | "firefox", executablePath: string): Promise<Engine> {
  const args = browser === "chrome" ? ARGS : [];
  const running = await puppeteer.launch({ browser, executablePath, headless: true, args });
  return {
    newProfile: async () => profile(await running.createBrowserContext()),
    close: () => running.close(),
  };
}

function profile(context: BrowserContext): Profile {
  return { newTab: async () => tab(await context.newPage()), close: () => context.close() };
}

function tab(page: Page): Tab {
  return {
    goto: async (url) => void (await page.goto(url)),
    evaluate: async (expression) => (await page.evaluate(expression)) as never,
    async setFiles(selector, paths) {
      const input = (await page.$(selector)) as ElementHandle<HTMLInputElement> | null;
      if (input === null) {
        throw new Error(`the page has no ${selector}`);
      }
      await input.uploadFile(...paths);
    },
    click: (selector) => page.click(selector),
    close: () => page.close(),
  };
}
