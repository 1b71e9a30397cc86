import { randomInt } from 'node:crypto';

const QUALITIES =
  'able amber ample azure bold brave brisk broad calm candid civil clear clever cosmic crisp curly daring deft eager early earnest easy fair fine firm fleet fond frank free fresh gentle glad golden grand green happy hardy humble jolly keen kind lively loyal lucid lucky mellow merry mild modest neat nimble noble novel patient plain proud quick quiet rapid ready robust royal serene sharp shiny silver sleek smart snug solid sound spry stable steady still stout sunny super swift tidy true vivid warm wise witty young zesty'.split(
    ' ',
  );
const BOATS =
  'ark barge barque brig canoe caravel catboat clipper coaster cog coracle corvette currach cutter dhow dinghy dory dredger ferry flyboat frigate galleon galley gig gondola hulk hydrofoil icebreaker jetty junk kayak keelboat ketch launch lighter liner longboat lugger mooring packet pilot pinnace pontoon punt raft sampan schooner scow shallop skiff sloop steamer tender trawler trimaran tug wherry whaler xebec yacht yawl'.split(
    ' ',
  );

/** A random readable name such as `calm-schooner-417`. */
export function readableName(): string {
  return `${QUALITIES[randomInt(QUALITIES.length)]}-${BOATS[randomInt(BOATS.length)]}-${randomInt(100, 1000)}`;
}
