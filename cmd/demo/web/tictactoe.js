// A tic-tac-toe room: the board, who plays, whose turn it is.
import { complain, h, svg, toast } from "/ui.js";

const SENTENCES = {
  not_your_turn: "It is not your turn.",
  cell_taken: "That square is taken.",
  game_over: "This game is over.",
  not_a_player: "You are watching. A seat is yours when somebody leaves.",
  waiting_for_opponent: "Nobody to play against yet.",
};

/** @typedef {{ userId: string, displayName: string }} Player */
/** @typedef {{ board: string[], turn: "X" | "O", winner?: "X" | "O" | "draw", line?: number[], players: { X?: Player, O?: Player }, spectators: number }} Game */

/** @param {import("./app.js").Context} context @returns {import("./app.js").View} */
export function mountTicTacToe({ session, stage, notice, share }) {
  stage.append(/** @type {any} */ (document.getElementById("tictactoe-template")).content.cloneNode(true));
  /** @param {string} selector */
  const find = (selector) => /** @type {any} */ (stage.querySelector(selector));
  const board = find(".board");
  const rematch = find("[data-testid=rematch]");

  /** @type {Game | undefined} */
  let game;
  let selfUserId = "";

  const cells = Array.from({ length: 9 }, (_, index) => {
    const cell = h("button", { type: "button", class: "cell", "data-testid": `cell-${index}` });
    // Also on a taken square: the room decides, and says why not.
    cell.addEventListener("click", () => act(() => session.send.move({ cell: index })));
    cell.addEventListener("keydown", (event) => {
      const row = Math.floor(index / 3), column = index % 3;
      const to = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1] }[event.key];
      if (!to) return;
      event.preventDefault();
      cells[((to[0] + 3) % 3) * 3 + ((to[1] + 3) % 3)].focus();
    });
    return cell;
  });
  board.append(...cells);

  /** @returns {"X" | "O" | ""} */
  const ownMark = () => (game?.players.X?.userId === selfUserId ? "X" : game?.players.O?.userId === selfUserId ? "O" : "");

  /** @param {"X" | "O"} mark */
  const nameOf = (mark) => game?.players[mark]?.displayName ?? mark;

  function sentence() {
    if (!game) return "";
    const own = ownMark();
    if (game.winner === "draw") return "A draw";
    if (game.winner) return game.winner === own ? "You won!" : `${nameOf(game.winner)} won`;
    if (!game.players.X || !game.players.O) return "Waiting for an opponent";
    return game.turn === own ? "Your turn" : `${nameOf(game.turn)}’s turn`;
  }

  function draw() {
    if (!game) return;
    const { players, winner, turn, line = [], spectators } = game;
    const own = ownMark();
    const playing = !winner && players.X && players.O;
    for (const mark of /** @type {const} */ (["X", "O"])) {
      const seat = find(`.player[data-mark=${mark}]`);
      const player = players[mark];
      seat.classList.toggle("vacant", !player);
      seat.classList.toggle("active", Boolean(playing) && turn === mark);
      seat.classList.toggle("winner", winner === mark);
      seat.querySelector(".who").textContent = player?.displayName ?? "Free seat";
      seat.querySelector(".you").textContent = own === mark ? "you" : "";
    }
    game.board.forEach((mark, index) => {
      const cell = cells[index];
      const label = `Row ${Math.floor(index / 3) + 1}, column ${(index % 3) + 1}, ${mark || "empty"}`;
      cell.setAttribute("aria-label", line.includes(index) ? `${label}, winning` : label);
      cell.classList.toggle("won", line.includes(index));
      if ((cell.dataset.mark ?? "") === mark) return;
      cell.dataset.mark = mark;
      cell.replaceChildren(...(mark ? [svg(`mark-${mark}`, { class: "mark", "data-mark": mark }), h("span", { class: "visually-hidden" }, mark)] : []));
    });
    board.dataset.own = own;
    board.classList.toggle("over", Boolean(winner));
    board.classList.toggle("yours", Boolean(playing) && turn === own);
    const text = sentence();
    if (find(".turn").textContent !== text) find(".turn").textContent = text;
    find(".turn").dataset.tone = winner === "draw" ? "" : winner ?? (playing ? turn : "");
    rematch.hidden = !winner || !own;
    find(".invite").hidden = Boolean(players.X && players.O);
    const watching = spectators === 1 ? "1 person watching" : `${spectators} people watching`;
    find(".spectators").textContent = !own && selfUserId ? `You are watching${spectators > 1 ? `, with ${spectators - 1} more` : ""}` : spectators ? watching : "";
  }

  /** @param {Game} next */
  function show(next) {
    const turnWas = game?.turn;
    game = next;
    draw();
    if (turnWas && turnWas !== next.turn && next.turn === ownMark()) notice();
  }

  /** @param {() => Promise<Game>} call made now or not at all: a move is not to be played minutes later */
  async function act(call) {
    if (!session.ready) return toast("Not connected. The game goes on when the room is back.");
    try {
      show(await call());
    } catch (error) {
      complain(error, SENTENCES);
    }
  }

  async function refreshSelf() {
    try {
      ({ userId: selfUserId } = await session.send.whoAmI());
      draw();
    } catch (error) {
      if (/** @type {any} */ (error).code !== "connection_lost") complain(error, SENTENCES);
    }
  }

  session.subscribe.on("state", (next) => {
    show(next);
    refreshSelf();
  });
  rematch.addEventListener("click", () => act(() => session.send.rematch()));
  find(".invite").addEventListener("click", share);

  return {
    online() {
      refreshSelf();
      session.send.getState().then(show, (error) => error.code === "connection_lost" || complain(error, SENTENCES));
    },
    status(state) {
      board.setAttribute("aria-disabled", String(state !== "online"));
    },
    leave() {},
  };
}
